// How the algorithms of this folder are written: a constant of the compilation, so that only one way is in a module.
//
// Without a flag it is the MCU grade: quick under an interpreter and on a Cortex-M, in few bytes. `--use GRADE_SMALL=1` has
// the fewest bytes; `--use GRADE_HOST=1` is for engines that compile to machine code, needs SIMD and has the most bytes.
// What only one grade needs of static memory is declared for that grade only, since a compilation keeps all that it meets.
// All three give the same results for the same calls; contexts of different grades are the same bytes for the digests
// and not for AES.

/** Whether the verbs over all digests know SHA-1, which the lite profile leaves out (profile.ts). */
export const WITH_SHA1: bool = !isDefined(PROFILE_LITE);

/** MD5 in the fewest bytes: nothing but old jobs and HMAC-MD5 need it there. */
export const SMALL_MD5: bool = isDefined(GRADE_SMALL) || isDefined(PROFILE_LITE);

/** Fewest bytes. */
export const SMALL: bool = isDefined(GRADE_SMALL);

/** Fastest under V8 and its like. */
export const HOST: bool = isDefined(GRADE_HOST);
