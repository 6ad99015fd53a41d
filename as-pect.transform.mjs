// as-pect's own transform, which adds to every class what `toStrictEqual` compares, for the compiler in use here.
//
// @as-pect/transform 8.1 knows the compiler's node kinds by the numbers they had in AssemblyScript 0.27. While it runs,
// every declaration carries the number it expects, and any other node a number that it does not know.

import Aspect from "@as-pect/transform";
import { NodeKind } from "assemblyscript";

const expected = new Map([
  [NodeKind.ClassDeclaration, 51],
  [NodeKind.FieldDeclaration, 54],
  [NodeKind.MethodDeclaration, 58],
  [NodeKind.NamespaceDeclaration, 59],
]);

export default class extends Aspect {
  afterParse(parser) {
    const actual = new Map();
    const renumber = (nodes) => {
      for (const node of nodes) {
        if (actual.has(node)) continue;
        actual.set(node, node.kind);
        node.kind = expected.get(node.kind) ?? -1;
        if (node.members) renumber(node.members);
      }
    };
    for (const source of parser.sources) renumber(source.statements);
    super.afterParse(parser);
    for (const [node, kind] of actual) node.kind = kind;
  }
}
