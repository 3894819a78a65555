import { useEffect } from "preact/hooks";

/** A foot on every printed page: whose report it is, and which page of how many. */
export function usePrintedFoot(words: string): void {
  useEffect(() => {
    const sheet = new CSSStyleSheet();
    const font = "font: 8.5pt Inter, sans-serif; color: #444; vertical-align: top; padding-top: 3mm;";
    sheet.replaceSync(`@page { @bottom-left { content: ${quoted(words)}; ${font} } @bottom-right { content: "Page " counter(page) " of " counter(pages); ${font} } }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    return () => void (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet));
  }, [words]);
}

/** A string of CSS, whatever stands in it. */
function quoted(words: string): string {
  return `"${words.replace(/[\\"\n\r\f<]/g, (sign) => `\\${sign.charCodeAt(0).toString(16)} `)}"`;
}
