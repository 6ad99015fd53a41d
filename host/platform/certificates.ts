// The platform's own certificate authority and server certificate (X.509 v3, EC P-256), kept as PEM files.
// The CA is made once per data directory; the server certificate again when the names or the dates require it.

import { webcrypto, X509Certificate } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
// The library underneath resolves its parts by decorator metadata.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { makeDirectories } from "./local_files.js";

x509.cryptoProvider.set(webcrypto as Crypto);

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;
const CA_DAYS = 3650;
/** Below the 398 days that strict clients accept of a server certificate. */
const SERVER_DAYS = 397;
/** A certificate with less than this left is issued again. */
const RENEW_DAYS = 30;

/** What a TLS listener needs, and where the CA's certificate is. */
export interface Certificates {
  caFile: string;
  key: string;
  cert: string;
}

/**
 * Make or reuse the CA and the server certificate in `directory`.
 *
 * directory  created when missing; gets ca.pem, ca-key.pem, server.pem, server-key.pem, keys with mode 0600.
 * hosts      extra DNS names and addresses beside localhost, 127.0.0.1 and ::1.
 *
 * Throws Error naming the file when one cannot be written or is damaged.
 */
export async function provideCertificates(directory: string, hosts: string[]): Promise<Certificates> {
  makeDirectories(directory, 0o700);
  const file = (name: string) => join(directory, name);
  const names = [...new Set(["localhost", "127.0.0.1", "::1", ...hosts])];
  if (!existsSync(file("ca.pem")) || !existsSync(file("ca-key.pem")) || expiresSoon(readPem(file("ca.pem")))) {
    await makeAuthority(file("ca.pem"), file("ca-key.pem"));
  }
  if (!serverFits(file, names)) await makeServer(file, names);
  return {
    caFile: file("ca.pem"),
    key: readFileSync(file("server-key.pem"), "utf8"),
    // The chain ends below the CA: a client that trusts ca.pem needs no more.
    cert: readFileSync(file("server.pem"), "utf8"),
  };
}

function readPem(path: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(path));
  } catch {
    throw new Error(`${path} is not a certificate: delete it and its key, and the platform makes new ones`);
  }
}

function expiresSoon(certificate: X509Certificate): boolean {
  return Date.parse(certificate.validTo) - Date.now() < RENEW_DAYS * DAY;
}

function serverFits(file: (name: string) => string, names: string[]): boolean {
  if (!existsSync(file("server.pem")) || !existsSync(file("server-key.pem"))) return false;
  const server = readPem(file("server.pem"));
  const ca = readPem(file("ca.pem"));
  const covers = (name: string) => (isIP(name) ? server.checkIP(name) : server.checkHost(name)) !== undefined;
  return !expiresSoon(server) && server.verify(ca.publicKey) && names.every(covers);
}

async function makeAuthority(certFile: string, keyFile: string): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=alink-agent local platform CA",
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + CA_DAYS * DAY),
    signingAlgorithm: EC,
    keys: keys as CryptoKeyPair,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey),
    ],
  });
  await writeKey(keyFile, keys.privateKey);
  writeFile(certFile, `${certificate.toString("pem")}\n`, 0o644);
}

async function makeServer(file: (name: string) => string, names: string[]): Promise<void> {
  const authority = new x509.X509Certificate(readFileSync(file("ca.pem"), "utf8"));
  const caKey = await importKey(file("ca-key.pem"));
  const keys = await webcrypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "CN=alink-agent local platform",
    issuer: authority.subject,
    notBefore: new Date(now - DAY),
    notAfter: new Date(Math.min(now + SERVER_DAYS * DAY, authority.notAfter.getTime())),
    signingAlgorithm: EC,
    publicKey: keys.publicKey as CryptoKey,
    signingKey: caKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      // RFC 6125 §6.4: names are matched in subjectAltName, addresses as iPAddress.
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(await authority.publicKey.export()),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey),
    ],
  });
  await writeKey(file("server-key.pem"), keys.privateKey);
  writeFile(file("server.pem"), `${certificate.toString("pem")}\n`, 0o644);
}

/** RFC 5280 §4.1.2.2: positive and at most 20 octets. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function writeKey(path: string, key: webcrypto.CryptoKey): Promise<void> {
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", key);
  writeFile(path, `${x509.PemConverter.encode(pkcs8, x509.PemConverter.PrivateKeyTag)}\n`, 0o600);
}

async function importKey(path: string): Promise<CryptoKey> {
  const [pkcs8] = x509.PemConverter.decode(readFileSync(path, "utf8"));
  if (pkcs8 === undefined) throw new Error(`${path} is not a private key: delete it and ca.pem`);
  return (await webcrypto.subtle.importKey("pkcs8", pkcs8, EC, false, ["sign"])) as CryptoKey;
}

function writeFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}
