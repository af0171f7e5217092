/** The language of the page: chosen by the reader, remembered, and applied to every text. */
import { recall, remember } from "./remembered.ts";
import { kernelForms, type Language, languages, layerLabels, type TextName, texts } from "./texts.ts";

const KEY = "alexnet-language";

let current: Language = initial();

function initial(): Language {
  if (typeof document === "undefined") return "en";
  const known = languages.find((language) => language === recall(KEY));
  return known ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

/** The other language. */
export function otherLanguage(): Language {
  return current === "en" ? "zh" : "en";
}

/** Chooses a language: the caller renders the page again. */
export function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  remember(KEY, language);
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

/** Label of a kind of layer, such as `max pooling`, in a language, by default that of the page. */
export function labelText(label: string, language = current): string {
  return (language === "zh" ? layerLabels[label] : undefined) ?? label;
}

/** A layer's kernel, such as `max of 3×3`, in a language, by default that of the page. */
export function kernelText(kernel: string, language = current): string {
  const form = language === "zh" ? kernelForms.find(([english]) => english.test(kernel)) : undefined;
  return form ? kernel.replace(...form) : kernel;
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
