import { signal } from "@preact/signals";
import { asTrouble } from "../api/load";

interface Part {
  what: string;
  why: string;
  again: () => void;
}

/** What of a study was asked for and did not come: on a page it would look like what never was. */
export class Absent {
  readonly parts = signal<ReadonlyMap<string, Part>>(new Map());

  /** The answer, or null where none came. That a person may not have it is an answer too. */
  async tried<T>(key: string, what: string, asking: () => Promise<T>, again: () => void): Promise<T | null> {
    try {
      const told = await asking();
      this.put(key, null);
      return told;
    } catch (error) {
      const trouble = asTrouble(error);
      this.put(key, trouble.status === 403 ? null : { what, why: trouble.message, again });
      return null;
    }
  }

  private put(key: string, part: Part | null): void {
    if (!part && !this.parts.peek().has(key)) return;
    const parts = new Map(this.parts.peek());
    if (part) parts.set(key, part);
    else parts.delete(key);
    this.parts.value = parts;
  }
}
