/** Five classes of ImageNet as `synset_words.txt` has them, in the order of labels: two are called crane, two maillot. */
export const synsetWords = [
  "n01440764 tench, Tinca tinca",
  "n02012849 crane",
  "n03126707 crane",
  "n03710637 maillot",
  "n03710721 maillot, tank suit",
];

/** Their WordNet numbers. */
export const wnids = synsetWords.map((line) => line.slice(0, 9));
