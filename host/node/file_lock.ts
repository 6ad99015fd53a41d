/**
 * An exclusive lock on a file: `FILE.lock` beside it names the process that holds it. Node has no flock(2); a lock
 * whose process is gone (crash, SIGKILL, a container that started again with the same process ids) is taken over.
 */
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The lock cannot be taken; the message is one line without the file's name. */
export class LockError extends Error {
  override name = "LockError";
}

/** Locks of this process: its own id in a lock file is not enough, a former process may have had the same one. */
const held = new Set<string>();

export class FileLock {
  private constructor(readonly path: string) {}

  /**
   * @param path the file to lock; it need not exist, its folder must
   * @throws LockError when another holder is alive, or the folder cannot be written
   */
  static take(path: string): FileLock {
    const lock = `${resolved(path)}.lock`;
    if (held.has(lock)) throw new LockError(`it is in use in this process: name another file`);
    const mine = `${process.pid} ${startTime(process.pid)}\n`;
    // A second try after taking over a dead holder's lock; whoever loses that race finds a living holder.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(lock, mine, { flag: "wx", mode: 0o600 });
        held.add(lock);
        return new FileLock(lock);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST")
          throw new LockError(`cannot be locked: ${(error as Error).message}`);
        removeDead(lock);
      }
    }
    throw new LockError(`another process is opening it: try again`);
  }

  release(): void {
    if (held.delete(this.path)) rmSync(this.path, { force: true });
  }
}

/** The same file under two names (links) has one lock. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    try {
      return join(realpathSync(dirname(path)), basename(path));
    } catch (error) {
      throw new LockError(`its folder: ${(error as Error).message}`);
    }
  }
}

function removeDead(lock: string): void {
  const text = readLock(lock);
  if (text === undefined) return;
  const pid = Number(/^(\d+) /.exec(text)?.[1]);
  if (!Number.isSafeInteger(pid) || pid <= 0)
    throw new LockError(`its lock ${lock} is damaged: remove it if no process uses the file`);
  if (isAlive(pid, text)) throw new LockError(`process ${pid} uses it: stop that process or name another file`);
  // Renaming is atomic: of two processes that see the dead lock only one moves it away.
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  if (readLock(aside) === text) rmSync(aside, { force: true });
  else renameSync(aside, lock);
}

function readLock(lock: string): string | undefined {
  try {
    return readFileSync(lock, "utf8");
  } catch {
    return undefined;
  }
}

function isAlive(pid: number, text: string): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return text === `${pid} ${startTime(pid)}\n`;
}

/** Start time of a process in clock ticks since boot (proc(5), field 22), so that a reused id is noticed; "-" elsewhere. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
  } catch {
    return "-";
  }
}
