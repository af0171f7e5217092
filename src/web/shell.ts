/** The frame of the page: views as tabs, language, dropped and pasted files. */
import { fill, h } from "./dom.ts";
import { droppedFiles } from "./droppedFiles.ts";
import { createFooter } from "./footer.ts";
import { currentLanguage, otherLanguage, setLanguage, t } from "./language.ts";
import type { TakenFile, View } from "./view.ts";

/** Names of the views, in order. */
const viewNames = ["try", "explain", "train"] as const;

/** Name of a view, as in the page's address. */
export type ViewName = (typeof viewNames)[number];

const titles = { try: "tryView", explain: "explainView", train: "trainView" } as const;

/** The page, once it is shown. */
export interface ShownPage {
  show(name: ViewName): void;
  /** Says that the page works without a network, or the problem that prevents it. */
  showOffline(problem?: string): void;
}

/** Shows the views in the page; `isServed` is true if a server predicts. */
export function showPage(views: Readonly<Record<ViewName, View>>, isServed: boolean): ShownPage {
  const header = h("header");
  const main = h("main", { id: "main", tabindex: -1 });
  const footer = createFooter(isServed);
  const rendered = new Set<ViewName>();
  let chosen: ViewName = named(location.hash) ?? "try";

  const show = (name: ViewName) => {
    chosen = name;
    history.replaceState(null, "", `#${name}`);
    renderHeader();
    if (!rendered.has(name)) views[name].render();
    rendered.add(name);
    // From a button of another view.
    const isFocusGone = main.contains(document.activeElement) && !views[name].element.isConnected;
    fill(main, views[name].element);
    if (isFocusGone) main.focus();
  };

  function renderHeader(): void {
    document.title = `${t(titles[chosen])} – ${t("title")}`;
    const links = viewNames.map((name) =>
      h("a", { href: `#${name}`, "aria-current": name === chosen ? "page" : undefined }, t(titles[name])),
    );
    const switchLanguage = () => {
      setLanguage(otherLanguage());
      rendered.clear();
      footer.render();
      show(chosen);
    };
    fill(
      header,
      h("a", { class: "skip", href: "#main", onclick: skipToMain }, t("skip")),
      h("strong", {}, t("title")),
      h("nav", { "aria-label": t("title") }, ...links),
      h(
        "button",
        {
          type: "button",
          lang: otherLanguage() === "zh" ? "zh-CN" : "en",
          title: t("languageHint"),
          onclick: switchLanguage,
        },
        t("language"),
      ),
    );
  }

  function skipToMain(event: Event): void {
    event.preventDefault();
    main.focus();
  }

  setLanguage(currentLanguage());
  fill(document.body, header, main, footer.element);
  addEventListener("hashchange", () => {
    const name = named(location.hash);
    if (name && name !== chosen) show(name);
  });
  takeFilesBy((files) => views[chosen].takeFiles(files));
  show(chosen);
  return { show, showOffline: footer.showOffline };
}

function named(hash: string): ViewName | undefined {
  return viewNames.find((name) => hash === `#${name}`);
}

/** Calls `take` with files that are dropped on the page, or pasted. */
function takeFilesBy(take: (files: readonly TakenFile[]) => void): void {
  const isOver = (value: boolean) => document.body.classList.toggle("over", value);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    isOver(true);
  });
  addEventListener("dragleave", () => isOver(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    isOver(false);
    void droppedFiles(event).then(take);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) take(files.map((file) => ({ file, folder: undefined, className: undefined })));
  });
}
