// What a pack says of WAMR.

/** The version of WAMR that the checks on real runtimes build; tests/runtimes compares. */
export const WAMR_VERSION = "2.4.3";

/** WAMR's build options: 1 = needed, 0 = not needed, and code for nothing. */
export const WAMR_OPTIONS: Record<string, 0 | 1> = {
  WAMR_BUILD_SHRUNK_MEMORY: 1,
  WAMR_BUILD_BULK_MEMORY: 0,
  WAMR_BUILD_REF_TYPES: 0,
  WAMR_BUILD_SIMD: 0,
  WAMR_BUILD_TAIL_CALL: 0,
  WAMR_BUILD_LIBC_BUILTIN: 0,
  WAMR_BUILD_LIBC_WASI: 0,
  WAMR_BUILD_MULTI_MODULE: 0,
  WAMR_BUILD_THREAD_MGR: 0,
};
