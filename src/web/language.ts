/** The language of the page: chosen by the reader, remembered, and applied to every text. */
import { type Language, languages, type TextName, texts } from "./texts.ts";

const KEY = "alexnet-language";

let current: Language = initial();

function initial(): Language {
  if (typeof document === "undefined") return "en";
  const known = languages.find((language) => language === remembered());
  return known ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

/** Pages without storage forget the choice. */
function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** The other language. */
export function otherLanguage(): Language {
  return current === "en" ? "zh" : "en";
}

/** Chooses a language: the caller renders the page again. */
export function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Nothing is lost but the memory of the choice.
  }
}

/** The language of the page. */
export function currentLanguage(): Language {
  return current;
}

/** A text in the page's language, with values in place of `{name}`. */
export function t(name: TextName, values: Readonly<Record<string, string | number>> = {}): string {
  const text: string = texts[name][languages.indexOf(current)] as string;
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => {
    const value = values[key];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : value;
  });
}

/** A number in the page's language. */
export function number(value: number, digits = 0): string {
  const tag = current === "zh" ? "zh-CN" : "en-US";
  return value.toLocaleString(tag, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `87.8 %` of the fraction 0.878. */
export function percent(fraction: number, digits = 1): string {
  return t("percent", { value: number(100 * fraction, digits) });
}
