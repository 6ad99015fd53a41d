// The MQTT front: aedes with the platform's rules. MQTT 3.1 and 3.1.1, QoS 0 and 1, no will, no retain.
//
// Inside the broker a session's client ID is the device's key, so that any second CONNECT of the same device takes over
// the first, whatever client ID it came with. Of a session that is not clean the filters are kept, no messages: what
// waits for an offline device is kept by the part that produced it (upgrade tasks), so nothing grows with its silence.
// Messages of the platform go straight to the session: no subscription is needed, and one more changes nothing.

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Aedes, type AuthenticateError, type Client, type ConnectPacket, type Subscription } from "aedes";
import { authenticate } from "./auth.js";
import type { Certificates } from "./certificates.js";
import type { Log } from "./events.js";
import { guardPackets } from "./packet_guard.js";
import { type Device, deviceKey, type Registry } from "./registry.js";
import { SessionStore } from "./session_store.js";
import { isOwnTopic, isSystemTopic } from "./topics.js";

/** Longest payload of a PUBLISH, bytes. */
export const MAX_PAYLOAD = 256 * 1024;
const MAX_SUBSCRIPTIONS = 100;
const MAX_TOPICS_PER_SUBSCRIBE = 8;

/** What the broker does with a device and its messages. */
export interface BrokerEvents {
  /** CONNACK is out. */
  online(device: Device): void;
  offline(device: Device): void;
  /** One message of the device on one of its own topics; the link is read on when the promise settles. */
  uplink(device: Device, topic: string, payload: Buffer): Promise<void>;
}

interface Session {
  device?: Device;
  login?: ConnectPacket & { originalClientId: string };
  tls: boolean;
  filters: Set<string>;
  /** CONNACK is out, or never will be. Messages of the platform wait for it. */
  settled: Promise<void>;
  settle: () => void;
  announced: boolean;
}

// aedes offers no hook that sees a whole SUBSCRIBE before it notes the QoS it will grant, so its parser is listened to.
type ClientInternals = Client & {
  clean: boolean;
  _parser: { prependListener(name: "packet", listener: (packet: ParsedPacket) => void): void };
};
interface ParsedPacket {
  cmd: string;
  subscriptions?: (Subscription & { refused?: boolean })[];
}

/** The MQTT and MQTTS listeners and the sessions behind them. */
export class Broker {
  readonly #sessions = new WeakMap<Client, Session>();
  readonly #online = new Map<string, Client>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #store = new SessionStore();
  #aedes!: Aedes;
  #downlinks = 0;

  private constructor(
    private readonly registry: Registry,
    private readonly events: BrokerEvents,
    private readonly log: Log,
  ) {}

  static async create(registry: Registry, events: BrokerEvents, log: Log): Promise<Broker> {
    const broker = new Broker(registry, events, log);
    await broker.#start();
    return broker;
  }

  async #start(): Promise<void> {
    const aedes = await Aedes.createBroker({
      persistence: this.#store,
      // MQTT 3.1 clients send the platform's long client IDs too.
      maxClientsIdLength: 1024,
      connectTimeout: 20_000,
    });
    this.#aedes = aedes;
    aedes.preConnect = (client, packet, done) => {
      const session = this.#sessions.get(client)!;
      session.login = { ...packet, originalClientId: packet.clientId };
      const [deviceName, productKey] = splitUsername(packet.username);
      packet.clientId = deviceKey({ productKey, deviceName });
      delete packet.will;
      done(null, true);
    };
    aedes.authenticate = (client, _username, password, done) => this.#authenticate(client, password, done);
    aedes.authorizePublish = (client, packet, done) => {
      packet.retain = false;
      done(client === null ? null : this.#publishFault(client, packet));
    };
    aedes.authorizeSubscribe = (client, subscription, done) => done(null, this.#grant(client, subscription));
    // A device never hears its own system messages, even when it subscribed to them.
    aedes.authorizeForward = (client, packet) => {
      const device = this.#sessions.get(client)?.device;
      const own = (packet as { clientId?: string }).clientId !== undefined;
      return device === undefined || (own && isSystemTopic(packet.topic, device)) ? null : packet;
    };
    aedes.published = (packet, client, done) => {
      const device = client ? this.#sessions.get(client)?.device : undefined;
      if (device === undefined) done();
      else void this.#uplink(device, packet.topic, packet.payload as Buffer).then(() => done());
    };
    aedes.on("unsubscribe", (filters, client) => {
      for (const filter of filters) this.#sessions.get(client)?.filters.delete(filter);
    });
    aedes.on("client", (client) => this.#register(client));
    aedes.on("connackSent", (connack, client) => connack.returnCode === 0 && this.#announce(client));
    aedes.on("clientDisconnect", (client) => this.#gone(client));
    aedes.on("clientError", (client, error) => {
      // A refused login is logged where it is refused.
      if (!("returnCode" in error)) this.log(`mqtt ${client.id.slice(0, 64)}: ${error.message}`);
    });
    aedes.on("connectionError", (_client, error) => this.log(`mqtt: ${error.message}`));
  }

  async #uplink(device: Device, topic: string, payload: Buffer): Promise<void> {
    try {
      await this.events.uplink(device, topic, payload);
    } catch (error) {
      this.log(`${deviceKey(device)}: ${topic}: ${(error as Error).message}`);
    }
  }

  /** Open one listener; resolves with it when it listens. */
  async listen(host: string, port: number, tls?: Certificates): Promise<Server> {
    const accept = (socket: Socket) => this.#accept(socket, tls !== undefined);
    const server = tls === undefined ? createServer(accept) : createTlsServer({ key: tls.key, cert: tls.cert }, accept);
    server.on("tlsClientError", (error: Error) => this.log(`mqtts: ${error.message}`));
    // A TLS handshake that never ends would not reach accept(), so raw sockets are kept here for close().
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => resolve());
    });
    this.#servers.push(server);
    return server;
  }

  #accept(socket: Socket, tls: boolean): void {
    socket.setNoDelay(true);
    const session = newSession(tls);
    guardPackets(socket, () => (session.device === undefined ? 16 * 1024 : MAX_PAYLOAD + 1024));
    const client = this.#aedes.handle(socket) as ClientInternals;
    this.#sessions.set(client, session);
    client._parser.prependListener("packet", (packet) => {
      if (packet.cmd !== "subscribe") return;
      packet.subscriptions?.forEach((subscription, index) => {
        if (subscription.qos > 1) subscription.qos = 1;
        subscription.refused = index >= MAX_TOPICS_PER_SUBSCRIBE;
      });
    });
  }

  #authenticate(
    client: Client,
    password: Readonly<Buffer | undefined>,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const session = this.#sessions.get(client)!;
    const login = session.login!;
    const verdict = authenticate(
      {
        clientId: login.originalClientId,
        username: login.username ?? "",
        password: password?.toString("utf8") ?? "",
        keepalive: login.keepalive ?? 0,
        tls: session.tls,
      },
      this.registry,
    );
    if ("returnCode" in verdict) {
      const name = JSON.stringify((login.username ?? "").slice(0, 64));
      this.log(`mqtt ${name}: refused with CONNACK ${verdict.returnCode}: ${verdict.reason}`);
      const error = Object.assign(new Error(verdict.reason), { returnCode: verdict.returnCode });
      done(error as AuthenticateError, false);
      return;
    }
    session.device = verdict;
    delete session.login;
    done(null, true);
  }

  #publishFault(client: Client, packet: { topic: string; qos: number; payload: Buffer | string }): Error | null {
    const device = this.#sessions.get(client)?.device;
    if (device === undefined || !isOwnTopic(packet.topic, device)) {
      return new Error(`publish outside the device's own topics: ${JSON.stringify(packet.topic.slice(0, 128))}`);
    }
    if (packet.qos > 1) return new Error("QoS 2 does not exist on this platform");
    if (packet.payload.length > MAX_PAYLOAD) return new Error(`payload of ${packet.payload.length} bytes is too long`);
    return null;
  }

  #grant(client: Client, subscription: Subscription & { refused?: boolean }): Subscription | null {
    const session = this.#sessions.get(client);
    if (session?.device === undefined || subscription.refused) return null;
    if (!isOwnTopic(subscription.topic, session.device)) return null;
    if (!session.filters.has(subscription.topic) && session.filters.size >= MAX_SUBSCRIPTIONS) return null;
    session.filters.add(subscription.topic);
    if (!isClean(client)) {
      this.#store.remember(client, { topic: subscription.topic, qos: subscription.qos === 0 ? 0 : 1 });
    }
    return subscription;
  }

  /** Before CONNACK, so that nobody who has seen it finds the device offline. */
  #register(client: Client): void {
    const device = this.#sessions.get(client)?.device;
    if (device === undefined) return;
    const key = deviceKey(device);
    const older = this.#online.get(key);
    // The broker closes the older session of a client ID itself, unless it lost sight of it.
    if (older !== undefined) this.#gone(older);
    older?.close();
    // The older session may have been granted a filter after this one was told that there is none.
    if (isClean(client)) this.#store.forget(client);
    this.#online.set(key, client);
  }

  #announce(client: Client): void {
    const session = this.#sessions.get(client);
    if (session?.device === undefined || this.#online.get(deviceKey(session.device)) !== client) return;
    session.announced = true;
    session.settle();
    this.events.online(session.device);
  }

  #gone(client: Client): void {
    const session = this.#sessions.get(client);
    session?.settle();
    if (session?.device === undefined || this.#online.get(deviceKey(session.device)) !== client) return;
    this.#online.delete(deviceKey(session.device));
    if (session.announced) this.events.offline(session.device);
  }

  isOnline(device: Device): boolean {
    return this.#online.has(deviceKey(device));
  }

  /**
   * Send a message of the platform to a device, whether it subscribed or not.
   *
   * Resolves to false when the device is not online. "Sent" means handed to the link, not acknowledged.
   */
  async deliver(device: Device, topic: string, payload: string | Buffer, qos: 0 | 1 = 1): Promise<boolean> {
    const client = this.#online.get(deviceKey(device));
    if (client === undefined) return false;
    await this.#sessions.get(client)?.settled;
    if (client.closed) return false;
    // Own counter: aedes drops what arrives out of the order of its own.
    const origin = { brokerId: "platform", brokerCounter: ++this.#downlinks };
    return new Promise((resolve) => {
      client.publish({ cmd: "publish", topic, payload, qos, retain: false, dup: false, ...origin }, (error) =>
        resolve(!error),
      );
    });
  }

  /** Stop listening, close every link, release the broker. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }
}

function isClean(client: Client): boolean {
  return (client as ClientInternals).clean;
}

function newSession(tls: boolean): Session {
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { tls, filters: new Set(), settled, settle, announced: false };
}

function splitUsername(username: string | undefined): [deviceName: string, productKey: string] {
  const text = username ?? "";
  const at = text.lastIndexOf("&");
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
}
