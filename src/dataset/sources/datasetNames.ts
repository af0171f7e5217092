/** Every data set that is known by its name. Apart from what reads them, so that help is there at once. */
export const datasetNames = ["fashion-mnist", "cifar10", "flowers", "imagenet"] as const;
