// Which functions of one file a compilation names: a first compilation, without optimizer, of the same sources. What
// constants of the profile leave out (`if (WITH_X)`) is not compiled, so what only such code names is not among them.

import * as asc from "assemblyscript";

/** Compiled on the way: an inlined constant stays without code and keeps this flag alone. */
const COMPILED = asc.CommonFlags.Compiled;

/**
 * @param program the one that is being built, parsed and otherwise untouched; its options are taken over
 * @param prepare changes the sources of the first compilation before it is compiled
 * @param names of globals in the file `path`, without extension
 * @returns those that were compiled; all of them when the sources have errors, which the real compilation will tell
 */
export function compiled(program, prepare, path, names) {
  const scout = asc.newProgram(program.options);
  const texts = new Map(program.sources.map((source) => [source.internalPath, source]));
  for (const { text, normalizedPath, sourceKind } of program.sources)
    asc.parse(scout, text, normalizedPath, sourceKind === asc.SourceKind.UserEntry);
  for (let path = asc.nextFile(scout); path !== null; path = asc.nextFile(scout)) if (!texts.has(path)) return names;
  prepare(scout.sources);
  asc.initializeProgram(scout);
  const module = asc.compile(scout);
  for (let note = asc.nextDiagnostic(scout); note; note = asc.nextDiagnostic(scout))
    if (asc.isError(note)) return names;
  module.dispose?.();
  return names.filter((name) => scout.elementsByName.get(`${path}/${name}`)?.is(COMPILED));
}
