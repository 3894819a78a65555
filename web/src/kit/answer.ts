import { useEffect, useState } from "preact/hooks";

/** Ask for something whenever its address changes; the answer before stays until the next is there. */
export function useAnswer<T>(ask: () => Promise<T>, key: string): T | null {
  const [answer, setAnswer] = useState<{ key: string; value: T } | null>(null);
  useEffect(() => {
    let current = true;
    ask().then((value) => current && setAnswer({ key, value }), () => current && setAnswer(null));
    return () => void (current = false);
  }, [key]);
  return answer?.key === key ? answer.value : null;
}
