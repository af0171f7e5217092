"""Evaluates a folder of images with PyTorch as its users do: ImageFolder, a DataLoader, the network in inference mode.

    python3 folder_worker.py '{"folder": …, "images": …, "size": 224, "threads": 2, "batchSize": 128}'

Prints one JSON list: file name and class of the highest score of every image.
"""

import json
import os
import sys

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from torch_worker import Workload


def main():
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    model = Workload({**request, "precision": "f32", "channelsLast": True}).model.eval()
    size = request["size"]
    mean = deviation = (0.5, 0.5, 0.5)
    prepare = transforms.Compose(
        [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize(mean, deviation)]
    )
    images = datasets.ImageFolder(request["images"], prepare)
    loader = DataLoader(images, batch_size=request["batchSize"], num_workers=request["threads"], multiprocessing_context="fork")
    classes = []
    with torch.inference_mode():
        for batch, _ in loader:
            scores = model(batch.to(memory_format=torch.channels_last))
            classes += scores.argmax(1).tolist()
    names = (os.path.join(*path.split(os.sep)[-2:]) for path, _ in images.samples)
    print(json.dumps(list(zip(names, classes, strict=True))))


if __name__ == "__main__":
    main()
