// agent.wasm with a trap built in: the capsules of both hosts are made and opened with it.

import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { wasm } from "../paths.js";

/** A property post of as many bytes traps. */
export const TRAPPING_POST = '{"boom":true}';

/**
 * The bytes of a module that traps when it is given TRAPPING_POST. Before that it writes to its memory, without which it
 * would not trap: the call made again on what the trap left does not trap, on what was there before it does.
 *
 * @param once false: it traps again on what the trap left, too
 */
export function trappingModule(once: boolean): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(readFileSync(wasm("agent")));
  const inner = binaryen.getExportInfo(module.getExport("post")).value;
  const [i32, kind, length] = [binaryen.i32, module.local.get(0, binaryen.i32), module.local.get(1, binaryen.i32)];
  // Behind the post in the in-window.
  const address = module.i32.add(
    module.call(binaryen.getExportInfo(module.getExport("inPtr")).value, [], i32),
    module.i32.const(1000),
  );
  const trap = module.block(null, [
    module.if(
      module.i32.eqz(module.i32.load(0, 4, address)),
      module.block(null, [
        module.i32.store(0, 4, module.copyExpression(address), module.i32.const(once ? 1 : 0)),
        module.unreachable(),
      ]),
    ),
  ]);
  const isTrapping = module.i32.eq(module.copyExpression(length), module.i32.const(TRAPPING_POST.length));
  const body = module.block(null, [
    module.if(isTrapping, trap),
    module.return(module.call(inner, [kind, length], i32)),
  ]);
  module.addFunction("trapping_post", binaryen.createType([i32, i32]), i32, [], body);
  module.removeExport("post");
  module.addFunctionExport("trapping_post", "post");
  if (module.validate() === 0) throw new Error("the module with a trap is not valid");
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  return bytes;
}
