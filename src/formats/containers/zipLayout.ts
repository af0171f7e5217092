/** Bytes of a zip file's records without their names, extra fields and comments. Source: PKWARE, APPNOTE.TXT, §4.3. */

/** What stands before an entry's data. */
export const headerLength = 30;
/** An entry's line in the list behind all data. */
export const entryLength = 46;
/** What stands behind that list. */
export const endLength = 22;
