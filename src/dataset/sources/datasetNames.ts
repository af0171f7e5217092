/** Names of all named data sets; a module of its own, so that help loads fast. */
export const datasetNames = ["fashion-mnist", "cifar10", "flowers", "imagenet"] as const;
