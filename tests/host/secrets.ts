// Where a credential stands in bytes: as text, in hexadecimal, and in Base64 at each of its three alignments.

/** @returns what was found, in words */
export function findSecrets(bytes: Uint8Array, secrets: string[]): string[] {
  const text = Buffer.from(bytes).toString("latin1");
  const found: string[] = [];
  for (const secret of secrets) {
    const plain = Buffer.from(secret);
    const hex = plain.toString("hex");
    if (text.includes(secret)) found.push(`${secret} as text`);
    if (text.includes(hex) || text.includes(hex.toUpperCase())) found.push(`${secret} in hexadecimal`);
    for (const before of [0, 1, 2]) {
      // The characters that depend on nothing but the secret.
      const shifted = Buffer.concat([Buffer.alloc(before), plain]).toString("base64");
      const inner = shifted.slice(before === 0 ? 0 : before + 1).replace(/.?=*$/, "");
      for (const form of [inner, inner.replaceAll("+", "-").replaceAll("/", "_")])
        if (text.includes(form)) found.push(`${secret} in Base64`);
    }
  }
  return found;
}
