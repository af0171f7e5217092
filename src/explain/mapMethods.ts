/** Projection methods of maps. */
export const mapMethods = ["tsne", "pca"] as const;

export type MapMethod = (typeof mapMethods)[number];
