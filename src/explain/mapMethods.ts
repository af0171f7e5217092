/** Projection methods of maps. */
export const mapMethods = ["tsne", "pca"] as const;

/** Projection method of a map: `tsne` keeps neighbourhoods, `pca` keeps distances along the principal components. */
export type MapMethod = (typeof mapMethods)[number];
