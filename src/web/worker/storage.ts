/** Storage of a training run in the browser: IndexedDB, so that it survives a reload. */
import { messageOf } from "./calls.ts";

const DATABASE = "alexnet";
const STORE = "runs";

/** Stores a value under a key. Rejects with Error if storage is full or refused. */
export function putStored(key: string, value: unknown): Promise<void> {
  return inStore("readwrite", (store) => store.put(value, key)).then(() => {});
}

/** The value of a key; undefined if there is none, or no storage. */
export async function getStored<T>(key: string): Promise<T | undefined> {
  try {
    return (await inStore("readonly", (store) => store.get(key))) as T | undefined;
  } catch {
    return undefined;
  }
}

/** Removes everything that is stored. */
export async function clearStored(): Promise<void> {
  await inStore("readwrite", (store) => store.clear()).catch(() => {});
}

async function inStore(mode: IDBTransactionMode, action: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = action(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(failure(transaction.error));
      transaction.onabort = () => reject(failure(transaction.error));
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
