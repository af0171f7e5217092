/** How images are brought into the plane. */
export const mapMethods = ["tsne", "pca"] as const;

export type MapMethod = (typeof mapMethods)[number];
