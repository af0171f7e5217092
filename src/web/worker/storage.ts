/** The saved run of the browser: its settings, its images and its newest state in IndexedDB, where they survive a reload. */
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import type { RawImage } from "../../image/rawImage.ts";
import type { Network } from "../../network/network.ts";
import type { Recipe } from "../../training/recipe.ts";
import { messageOf } from "./calls.ts";
import type { SavedState } from "./checkpoints.ts";
import type { DataSource } from "./trainerApi.ts";

/** Images of the user by class, in the order of their arrival. */
export type OwnImages = ReadonlyMap<string, readonly RawImage[]>;

/** A run as it is created: what stays the same. */
export interface RunDescription {
  readonly source: DataSource;
  readonly network: Network;
  readonly recipe: Recipe;
  /** Preprocessing of the weights file that the run began with. */
  readonly preprocessing: Preprocessing | undefined;
  /** The user's images; undefined for the sample. */
  readonly images: OwnImages | undefined;
}

/** A saved run. */
export interface SavedRun {
  readonly run: RunDescription;
  readonly state: SavedState;
}

const DATABASE = "alexnet";
const STORE = "runs";
const keys = { id: "id", run: "run", state: "state" } as const;

/**
 * Creates a function that saves the states of a run. The first one replaces the saved run: description and state are written together or not at all, and
 * again if another tab has saved a run in the meantime. It rejects with Error if storage is full or refused; the saved run then stays.
 */
export function createRunStorage(run: RunDescription): (state: SavedState) => Promise<void> {
  const id = String(crypto.getRandomValues(new Uint32Array(4)));
  return (state) =>
    inStore("readwrite", (store) => {
      store.put(state, keys.state);
      const found = store.get(keys.id);
      found.onsuccess = () => {
        if (found.result === id) return;
        store.put(run, keys.run);
        store.put(id, keys.id);
      };
    });
}

/** The saved run; undefined if there is none, or no storage. */
export async function readSavedRun(): Promise<SavedRun | undefined> {
  let run: IDBRequest<RunDescription | undefined> | undefined;
  let state: IDBRequest<SavedState | undefined> | undefined;
  try {
    await inStore("readonly", (store) => {
      run = store.get(keys.run);
      state = store.get(keys.state);
    });
  } catch {
    return undefined;
  }
  return run?.result && state?.result && { run: run.result, state: state.result };
}

/** Deletes the saved run. Rejects with Error if storage is refused. */
export function deleteSavedRun(): Promise<void> {
  return inStore("readwrite", (store) => store.clear());
}

/** Runs requests in one transaction: all of them take effect, or none. */
async function inStore(mode: IDBTransactionMode, request: (store: IDBObjectStore) => void): Promise<void> {
  const database = await open();
  try {
    await new Promise<void>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(failure(transaction.error));
      try {
        request(transaction.objectStore(STORE));
      } catch (error) {
        transaction.abort();
        reject(error);
      }
    });
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failure(request.error));
  });
}

function failure(error: DOMException | null): Error {
  return new Error(error ? `${error.name}: ${messageOf(error)}` : "storage is refused");
}
