/** Settings of a new run. */
import { networks } from "../../network/alexnet.ts";
import { chosenComputation } from "../computation.ts";
import { field, fileButton, fill, h, select } from "../dom.ts";
import { t } from "../language.ts";
import type { PageSettings } from "../worker/trainerApi.ts";

/** Each optimizer with its usual learning rate. With Adam, the sample shows a result within the first minute. */
const optimizers = {
  adam: { learningRate: 0.0003, settings: { kind: "adam" } },
  adamW: { learningRate: 0.0003, settings: { kind: "adamw" } },
  sgd: { learningRate: 0.01, settings: { kind: "sgd", form: "paper", momentum: 0.9, weightDecay: 0.0005 } },
} as const;

const augmentations = {
  none: {},
  flip: { flip: 0.5 },
  flipShift: { flip: 0.5, shift: 0.125 },
} as const;

const augmentationTexts = { none: "augmentNone", flip: "augmentFlip", flipShift: "augmentFlipShift" } as const;

type OptimizerName = keyof typeof optimizers;
type AugmentationName = keyof typeof augmentations;

/** The part of the view. */
export interface SettingsPart {
  readonly element: HTMLElement;
  /** The settings as chosen; a weights file is read now. */
  read(): Promise<PageSettings>;
  render(): void;
}

/** Creates the part; `onCreate` is called when the reader asks for a run. */
export function createSettingsPart(onCreate: () => void): SettingsPart {
  const chosen = {
    network: "alexnet-small",
    epochs: 10,
    batchSize: 16,
    learningRate: optimizers.adam.learningRate as number,
    optimizer: "adam" as OptimizerName,
    augmentation: "none" as AugmentationName,
    file: undefined as File | undefined,
  };
  const element = h("section");

  function numberField(label: string, key: "epochs" | "batchSize" | "learningRate", step: string): HTMLElement {
    const input = h("input", {
      type: "number",
      min: 0,
      step,
      value: chosen[key],
      onchange: () => {
        chosen[key] = Number(input.value);
      },
    });
    return field(label, input);
  }

  function networkField(): HTMLElement {
    const names = networks.map(({ name }) => [name, name] as const);
    return field(
      t("network"),
      select(names, chosen.network, (name) => {
        chosen.network = name;
        chosen.file = undefined;
        render();
      }),
    );
  }

  function choices(): readonly HTMLElement[] {
    const optimizerNames = Object.keys(optimizers).map((name) => [name as OptimizerName, name] as const);
    const names = Object.keys(augmentations) as AugmentationName[];
    return [
      field(t("optimizer"), select(optimizerNames, chosen.optimizer, chooseOptimizer)),
      field(
        t("augmentation"),
        select(
          names.map((name) => [name, t(augmentationTexts[name])]),
          chosen.augmentation,
          (name) => {
            chosen.augmentation = name;
          },
        ),
      ),
    ];
  }

  /** The learning rate follows, unless the reader has changed it. */
  function chooseOptimizer(name: OptimizerName): void {
    if (chosen.learningRate === optimizers[chosen.optimizer].learningRate) {
      chosen.learningRate = optimizers[name].learningRate;
    }
    chosen.optimizer = name;
    render();
  }

  function render(): void {
    fill(
      element,
      h("h2", {}, t("settings")),
      h(
        "div",
        { class: "row" },
        networkField(),
        numberField(t("epochs"), "epochs", "any"),
        numberField(t("batchSize"), "batchSize", "1"),
        numberField(t("learningRate"), "learningRate", "any"),
        ...choices(),
      ),
      h(
        "div",
        { class: "row" },
        fileButton(t("startFrom"), { accept: ".safetensors" }, ([file]) => {
          chosen.file = file;
          render();
        }),
        chosen.file && h("span", { class: "hint" }, chosen.file.name),
        h("button", { type: "button", class: "primary", onclick: onCreate }, t("create")),
      ),
    );
  }

  return {
    element,
    render,
    async read() {
      const { network, epochs, batchSize, learningRate, optimizer, augmentation, file } = chosen;
      return {
        computation: chosenComputation(),
        network: file ? { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) } : network,
        values: {
          epochs,
          batchSize,
          learningRate,
          optimizer: optimizers[optimizer].settings,
          augmentation: augmentations[augmentation],
        },
      };
    },
  };
}
