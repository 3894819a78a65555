import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Act, fields } from "../oversight/act";
import { Refusal } from "../oversight/refusal";
import { address, setQuery } from "../router";
import { count } from "../words";

/** A hundred rows of a list, and where they stand in it. */
export interface Paged<T> {
  rows: T[];
  total: number;
  offset: number;
  next: number | null;
}

/** What the server says under an address; asked again when the address changes. */
export function useAsked<T>(path: string): Source<T> {
  const wanted = useRef(path);
  wanted.current = path;
  const source = useRef<Source<T>>(null);
  source.current ??= new Source((abort) => ask<T>(wanted.current, { abort }));
  useEffect(() => void source.current!.load(), [path]);
  return source.current;
}

/** The address of a list: a filter and a place in it stand in the page's own address, so that a view can be kept. */
export function listPath(path: string, names: string[] = []): string {
  const query = address.value.searchParams;
  const told = new URLSearchParams();
  for (const name of names) if (query.get(name)) told.set(name, query.get(name)!);
  const from = Number(query.get("offset"));
  if (from > 0) told.set("offset", String(from));
  return told.size ? `${path}?${told}` : path;
}

/** Where one is in a list, and the way on. */
export function Pages({ of, one, what = `${one}s` }: { of: Paged<unknown>; one: string; what?: string }) {
  if (of.total <= of.rows.length) return <p class="muted count">{count(of.total, one, what)}</p>;
  const step = (from: number) => setQuery("offset", from > 0 ? String(from) : "", { keep: true });
  return (
    <p class="acts count">
      <span class="muted">{what.charAt(0).toUpperCase() + what.slice(1)} {(of.offset + 1).toLocaleString("en")}–{(of.offset + of.rows.length).toLocaleString("en")} of {of.total.toLocaleString("en")}</span>
      <button type="button" data-page="back" disabled={of.offset === 0} onClick={() => step(of.offset - 100)}>Back <Key of={keyOf("department", "page-1")} /></button>
      <button type="button" data-page="on" disabled={of.next === null} onClick={() => step(of.next!)}>On <Key of={keyOf("department", "page+1")} /></button>
    </p>
  );
}

/** A filter whose value stands in the address; another one begins the list anew. */
export function Pick({ name, label, choices }: { name: string; label: string; choices: [string, string][] }) {
  const now = address.value.searchParams.get(name) ?? "";
  return (
    <label>{label}
      <select value={now} onChange={(event) => (setQuery("offset", ""), setQuery(name, event.currentTarget.value, { keep: true }))}>
        {choices.map(([value, words]) => <option key={value} value={value}>{words}</option>)}
      </select>
    </label>
  );
}

/** An act of a row that wants its reason: closed until it is wanted, refused in the server's words beside it. */
export function Because({ words, hint, path, body = {}, done, confirm = words }: { words: string; hint: string; path: string; body?: Record<string, unknown>; done: () => void; confirm?: string }) {
  const act = useRef(new Act()).current;
  const send = async (event: SubmitEvent) => { if (await act.send(path, { ...body, ...fields(event) })) done(); };
  return (
    <details class="because">
      <summary>{words}</summary>
      <form class="acts" onSubmit={(event) => void send(event)}>
        <label><span class="hidden">Reason</span><input name="reason" required minLength={3} maxLength={500} placeholder={hint} /></label>
        <button type="submit" disabled={act.busy.value}>{confirm}</button>
      </form>
      <Refusal of={act} />
    </details>
  );
}

/** A form that makes something new; it stands closed under its list. `n` opens it. */
export function New({ title, keyed = true, open = false, path, lead, done, children, submit, shape = (told) => told }: { title: string; keyed?: boolean; open?: boolean; path: string; lead?: string; done: () => void; children: ComponentChildren; submit: string; shape?: (told: Record<string, string>) => unknown }) {
  const act = useRef(new Act()).current;
  const form = useRef<HTMLFormElement>(null);
  const send = async (event: SubmitEvent) => {
    if (await act.send(path, shape(fields(event)))) (form.current?.reset(), done());
  };
  return (
    <details class="rules new" open={open}>
      <summary>{title} {keyed && <Key of={keyOf("department", "new")} />}</summary>
      {lead && <p class="muted">{lead}</p>}
      <form class="controls" ref={form} onSubmit={(event) => void send(event)}>
        {children}
        <button type="submit" disabled={act.busy.value}>{submit}</button>
      </form>
      <Refusal of={act} />
    </details>
  );
}

/** A DICOM date and time (20261126081500) as people read it. */
export function dicomTime(text: string): string {
  const [, year, month, day, hour, minute] = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d))?/.exec(text) ?? [];
  return year ? `${year}-${month}-${day}${hour ? ` ${hour}:${minute}` : ""}` : text;
}
