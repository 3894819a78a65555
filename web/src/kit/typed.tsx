import { useState } from "preact/hooks";

interface Given {
  value: string;
  taken: (words: string) => void;
  class?: string;
  pattern?: string;
  placeholder?: string;
  title?: string;
  maxLength?: number;
  disabled?: boolean;
}

/** A field whose words are taken when it is left. What is typed stays while the page around it is drawn anew. */
export function Typed({ value, taken, ...given }: Given) {
  const [words, setWords] = useState<string>();
  const take = (field: HTMLInputElement) => {
    if (!field.checkValidity()) return;
    setWords(undefined);
    taken(field.value);
  };
  return <input autocomplete="off" {...given} value={words ?? value} onInput={(event) => setWords(event.currentTarget.value)} onChange={(event) => take(event.currentTarget)} />;
}
