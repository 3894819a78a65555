import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import type { Patient } from "../api/shapes";
import { actsNow, shown, SCREENS } from "../keys/keyboard";
import { may, ruleOf } from "../me";
import { go, to } from "../router";
import { day, person } from "../words";

export const paletteOpen = signal(false);

interface Choice {
  id: string;
  kind: "Command" | "Study" | "Cohort" | "Patient";
  words: string;
  beside: string;
  key: string;
  take: () => void;
}

interface Found {
  studies: { study: string; accession: string; description: string; date: string | null; modalities: string[] }[];
  cohorts: { id: string; name: string; when: string }[];
  patients: { patient: Patient; latest: string; studies: number }[];
}

/** Ctrl+K: every act of this screen with its key, studies by accession, frozen cohorts by name, patients by name for those who may. */
export function Palette() {
  return paletteOpen.value ? <Open close={() => (paletteOpen.value = false)} /> : null;
}

function Open({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const found = useFound(words);
  // Which acts are alive is read once, before the dialog takes the keys.
  const commands = useMemo(commandsNow, []);
  const fitting = commands.filter((one) => fits(`${one.words} ${one.beside}`, words));
  const choices = [...fitting, ...found.studies.map(studyChoice), ...found.cohorts.map(cohortChoice), ...found.patients.map(patientChoice)];
  const chosen = choices[Math.min(at, choices.length - 1)];
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => before?.isConnected && before.focus?.();
  }, []);
  useEffect(() => {
    document.getElementById(`choice-${chosen?.id}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen?.id]);
  const take = (choice: Choice | undefined) => {
    if (!choice) return;
    close();
    requestAnimationFrame(() => choice.take()); // the dialog gives the focus back first
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (by) setAt(Math.min(Math.max(0, at + by), Math.max(0, choices.length - 1)));
    else if (event.key === "Enter") take(chosen);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="Find a command, a study, a cohort or a patient" onClose={close} onCancel={(event) => (event.preventDefault(), close())} onClick={(event) => event.target === dialog.current && close()}>
      <input
        type="text" role="combobox" aria-expanded="true" aria-controls="choices" aria-activedescendant={chosen ? `choice-${chosen.id}` : undefined} aria-label="Command, accession number, cohort or patient"
        placeholder={may("patients") ? "Command, accession number, cohort or patient" : "Command, accession number or cohort"} autocomplete="off" spellcheck={false} value={words}
        onInput={(event) => (setWords(event.currentTarget.value), setAt(0))} onKeyDown={onKey}
      />
      <ul id="choices" role="listbox" aria-label="What can be done">
        {choices.map((choice, i) => (
          <li key={choice.id} id={`choice-${choice.id}`} role="option" aria-selected={choice === chosen} onClick={() => take(choice)} onPointerMove={() => i !== at && setAt(i)}>
            <span class="kind">{choice.kind}</span>
            <span class="words">{choice.words}</span>
            <span class="muted">{choice.beside}</span>
            {choice.key && <kbd>{choice.key}</kbd>}
          </li>
        ))}
      </ul>
      {!choices.length && <p class="muted none" role="status">Nothing fits “{words}”.</p>}
      {words.trim().length >= 2 && !may("patients") && may("find") && <p class="muted none">Patients are not searched: {ruleOf("patients")}</p>}
    </dialog>
  );
}

function commandsNow(): Choice[] {
  return actsNow()
    .filter(({ bound }) => bound.act !== "palette")
    .map(({ where, bound, act }) => ({ id: `${where}-${bound.act}`.replace(/[^a-z0-9-]/gi, "_"), kind: "Command", words: bound.words, beside: where === "everywhere" ? "" : SCREENS[where], key: shown(bound.key), take: act }));
}

/** Every word that was typed begins somewhere in the text. */
function fits(text: string, words: string): boolean {
  const low = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).filter(Boolean).every((word) => low.includes(word));
}

const nothing: Found = { studies: [], cohorts: [], patients: [] };

function useFound(words: string): Found {
  const [found, setFound] = useState<Found>(nothing);
  useEffect(() => {
    const wanted = words.trim();
    if (wanted.length < 2 || !may("find")) return setFound(nothing);
    const abort = new AbortController();
    const timer = setTimeout(() => {
      // In the body, not in the address: what is typed may be a name.
      ask<Found>("/api/palette", { method: "POST", body: { words: wanted }, abort: abort.signal }).then(setFound, () => setFound(nothing));
    }, 150);
    return () => (clearTimeout(timer), abort.abort());
  }, [words]);
  return found;
}

function studyChoice(one: Found["studies"][number]): Choice {
  const words = `${one.accession || "no accession"} · ${one.description || `${one.modalities.join(" ")} study`}`;
  return { id: `study-${one.study.replace(/\./g, "_")}`, kind: "Study", words, beside: day(one.date), key: "", take: () => go(to.study(one.study)) };
}

function cohortChoice(one: Found["cohorts"][number]): Choice {
  return { id: `cohort-${one.id}`, kind: "Cohort", words: one.name, beside: `frozen ${day(one.when)}`, key: "", take: () => go(to.cohorts(one.id)) };
}

function patientChoice(one: Found["patients"][number]): Choice {
  const words = `${person(one.patient.name)} · ${one.patient.id}`;
  return { id: `patient-${one.latest.replace(/\./g, "_")}`, kind: "Patient", words, beside: one.studies === 1 ? "1 study" : `${one.studies} studies`, key: "", take: () => go(to.patients(one.latest)) };
}
