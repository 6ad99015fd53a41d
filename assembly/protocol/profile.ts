/** What differs between the modules: constants of a compilation, chosen in asconfig.json by `use`. */
import { EVENT_PIECE, EVENT_QUEUE, IN_WINDOW } from "../abi";

/** The module of CoAP, which has a quarter of the memory. */
const COAP: bool = isDefined(PROFILE_COAP);

/** Event queue, bytes. */
export const QUEUE: u32 = COAP ? 360 : EVENT_QUEUE;
/** Longest piece of an event, bytes. */
export const PIECE: u32 = COAP ? 224 : EVENT_PIECE;
/** What one step may emit beside a piece of the full size, bytes. */
export const SHORT_EVENT: u32 = COAP ? 100 : 200;
/** Longest configuration document and longest post, bytes. */
export const IN_MAX: u32 = COAP ? 640 : IN_WINDOW;
