"""Presets of keras-hub that tests make, since none can be downloaded."""


def write_vit(keras_hub, folder: str, *, classes: int, pooling: str = "token") -> None:
    """Writes a small ViT for images of 32 × 32, with a head and random weights, to `folder`."""
    network = keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=12, mlp_dim=20
    )
    converter = keras_hub.layers.ViTImageConverter(
        image_size=(32, 32), scale=[0.01, 0.02, 0.03], offset=[-1.0, -0.5, 0.2]
    )
    preprocessor = keras_hub.models.ViTImageClassifierPreprocessor(converter)
    keras_hub.models.ViTImageClassifier(
        backbone=network, num_classes=classes, preprocessor=preprocessor, pooling=pooling
    ).save_to_preset(folder)
