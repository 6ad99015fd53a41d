/** A device's recorder with its files: the record that grows, the capsule that a trap leaves. */
import type { Agent } from "../agent.js";
import { CapsuleFile, RecordFile } from "../record/record_file.js";
import { Recorder, type Sink } from "../record/recorder.js";
import type { Flash } from "./flash.js";
import { flashBytes } from "./flash_layout.js";
import type { LoadedModule } from "./module.js";

/** What is recorded, docs/record.md. */
export interface RecordOptions {
  /** Every call into the module, for `alink-agent replay`: a file, made anew with mode 0600. */
  file?: string;
  /** What a trap leaves: a file of mode 0600, written then; a later trap replaces it. */
  capsule?: string;
  /** Credentials as they are; otherwise stand-ins of the same length take their places. */
  keepSecrets?: boolean;
}

export class Recording {
  readonly #recorder: Recorder;
  readonly #file: RecordFile | undefined;

  /**
   * @param onFault told when recording ends before its time
   * @throws Error, one line: the record cannot be written, or the module's bytes are not known
   */
  constructor(
    { file, capsule, keepSecrets = false }: RecordOptions,
    { module, digest }: LoadedModule,
    onFault: (text: string) => void,
  ) {
    if (digest === undefined)
      throw new Error("a record names its module by SHA-256: give the module's bytes, not a compiled module");
    this.#file = file === undefined ? undefined : new RecordFile(file);
    const sinks: Sink[] = this.#file === undefined ? [] : [this.#file];
    if (capsule !== undefined) sinks.push(new CapsuleFile(capsule));
    this.#recorder = new Recorder({ module, digest, keepSecrets, sinks, onFault });
  }

  /** A fresh instance of the module whose calls are recorded. */
  instance({ layout }: Flash): Agent {
    const { sector, write, erased, boot } = layout;
    return this.#recorder.instance({ sector, write, erased, bytes: flashBytes(layout), boot });
  }

  /** Everything so far is in the file. */
  flush(): void {
    this.#recorder.flush();
  }

  /** The host gives the instance up. */
  stopped(text: string): void {
    this.#recorder.stopped(text);
  }

  /** The device has ended. */
  end(): void {
    this.#recorder.end();
  }
}
