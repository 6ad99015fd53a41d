/** Puts the agent over CoAP together from its configuration. Who works with whose buffers is known before: see coap_wiring.ts. */
import { Code } from "../abi";
import { copy, litLen, S } from "../bytes/text";
import { putTemplate, writerDone, writerInit } from "../bytes/writer";
import { CLIENT_ID, ENDPOINT, VERSION, WRITER } from "../coap_arena";
import { complete, endpointPeer, refuseEndpoint } from "./coap_config";
import { FIELDS } from "./coap_events";
import { ENDPOINT_MAX } from "./coap_state";

/** The configuration is complete. -> Ok, or BadArgument after a Fault event that names what is missing. */
export function assemble(): i32 {
  const code = complete();
  if (code < 0) return code;
  if (litLen(VERSION) == 0) copy(VERSION, S("1.0.0"), 6);
  // {pk}.{dn}, as the C SDKs have it (Alink §1)
  supply(CLIENT_ID, S("\x09.\x0a"));
  // the platform's own host; its port of the symmetric mode comes with the peer (Alink §1, §4)
  supply(ENDPOINT, S("coap://\x09.coap.cn-shanghai.link.aliyuncs.com"));
  return endpointPeer() ? Code.Ok : refuseEndpoint();
}

/** Give a text that the configuration has not. */
function supply(field: usize, template: usize): void {
  if (litLen(field) != 0) return;
  writerInit(WRITER, field + 1, ENDPOINT_MAX);
  putTemplate(WRITER, template, FIELDS, 0);
  store<u8>(field, writerDone(WRITER));
}
