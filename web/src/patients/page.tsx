import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { Patient } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { go, to } from "../router";
import { TimelinePage } from "./timeline";
import { count, day, person } from "../words";

interface Found {
  patient: Patient;
  studies: number;
  /** The newest study: the address of the person's timeline, which so holds no name. */
  latest: string;
  latest_date: string | null;
}

const focused = signal(0);

/** Find a person, and go to their timeline. What is typed here stays out of the address: it may be a name. */
export function PatientsPage({ study }: { study: string }) {
  return study ? <TimelinePage key={study} study={study} /> : <Search />;
}

function Search() {
  const words = useRef("");
  const field = useRef<HTMLInputElement>(null);
  const more = useRef(false);
  const source = useRef<Source<Found[]>>(null);
  source.current ??= new Source(async (abort) => {
    const told = await ask<{ patients: Found[]; more: boolean }>("/api/patients", { method: "POST", body: { words: words.current }, abort });
    more.current = told.more;
    return told.patients;
  });
  const found = source.current;
  useEffect(() => void found.load(), []);
  useEffect(() => {
    const step = (by: number) => (focused.value = Math.min(Math.max(0, focused.value + by), Math.max(0, (found.value?.length ?? 1) - 1)));
    return bind("patients", {
      filter: () => field.current?.focus(),
      down: () => step(1),
      up: () => step(-1),
      open: () => {
        const one = found.value?.[focused.value];
        if (one) go(to.patients(one.latest));
      },
    });
  }, []);
  let timer = 0;
  const type = (value: string) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => ((words.current = value.trim()), (focused.value = 0), void found.load()), 180);
  };
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Patients</h1>
        <label class="filter"><span class="hidden">Find a patient</span><Key of={keyOf("patients", "filter")} /><input ref={field} type="search" placeholder="name or patient ID" autocomplete="off" onInput={(event) => type(event.currentTarget.value)} /></label>
        <span class="muted" role="status">{found.value && (more.current ? `${found.value.length} patients of more: type a name or an ID` : count(found.value.length, "patient"))}</span>
      </header>
      <main class="desk-list" data-region tabIndex={-1}>
        <Shown of={found} what="the patients">
          {(patients) => patients.length ? (
            <table class="plain wide">
              <thead><tr><th scope="col">Patient</th><th scope="col">ID</th><th scope="col">Born</th><th scope="col">Sex</th><th scope="col" class="num">Studies</th><th scope="col">Newest</th></tr></thead>
              <tbody>
                {patients.map((one, i) => (
                  <tr key={one.latest} aria-current={i === focused.value ? "true" : undefined} onClick={() => (focused.value = i)}>
                    <td><a href={to.patients(one.latest)}>{person(one.patient.name)}</a></td>
                    <td class="id">{one.patient.id}</td>
                    <td>{one.patient.birth_date ? day(one.patient.birth_date) : <span class="faint">not stated</span>}</td>
                    <td>{one.patient.sex || <span class="faint">not stated</span>}</td>
                    <td class="num">{one.studies}</td>
                    <td>{day(one.latest_date)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          ) : (
            <Empty title={words.current ? "No patient fits" : "There is no patient yet"}>{words.current ? "Try fewer letters, or the beginning of the name." : "Send images to the DICOM port, or load a folder with isocenter receive FOLDER."}</Empty>
          )}
        </Shown>
      </main>
    </>
  );
}
