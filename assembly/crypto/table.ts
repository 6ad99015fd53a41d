// How a table at a fixed place is read cheaply where every access is checked.

/** A table in static memory. A class because the compiler inlines methods on request. */
@final
export class Table {
  /**
   * Read the last word of a table, for nothing but that it is there: one load, which no optimizer may leave out.
   *
   * A translator to C (wasm2c) compares every address with the memory's size. After this load the C compiler knows that the
   * memory reaches to the end of the table, and leaves out the comparison of each load whose index it can see to be
   * inside, by a mask or a loop's bound, until something is stored. So it stands once in front of the loads, behind the stores.
   */
  @inline static reach(lastWord: usize): void {
    load<u32>(lastWord);
  }
}
