import { signal } from "@preact/signals";
import { ask, type Trouble } from "../api/door";
import { asTrouble } from "../api/load";

/** One act with its refusal in the server's words; it is told beside the form that asked. */
export class Act {
  readonly trouble = signal<Trouble | null>(null);
  readonly busy = signal(false);

  async send<T>(path: string, body: unknown): Promise<T | null> {
    this.busy.value = true;
    this.trouble.value = null;
    try {
      return await ask<T>(path, { method: "POST", body, deadline_s: 60 });
    } catch (error) {
      this.trouble.value = asTrouble(error);
      return null;
    } finally {
      this.busy.value = false;
    }
  }
}

/** The fields of a form, empty ones left out. */
export function fields(event: SubmitEvent): Record<string, string> {
  event.preventDefault();
  return Object.fromEntries([...new FormData(event.currentTarget as HTMLFormElement)].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value)) as Record<string, string>;
}
