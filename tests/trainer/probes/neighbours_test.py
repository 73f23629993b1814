"""Votes of the nearest neighbours, worked out by hand."""

import keras
import numpy as np
import tensorflow as tf

from trainer.probes import neighbours

BANK = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0], [0.8, 0.6]], np.float32)
LABELS = np.array([0, 2, 2, 1, 0], np.int32)


def layer(k: int, temperature: float = 0.5, classes: int = 4) -> neighbours.NearestNeighbours:
    made = neighbours.NearestNeighbours(k, classes, len(BANK), temperature)
    made.build((None, 2))
    made.set_weights([BANK, LABELS])
    return made


class NearestNeighboursTest(tf.test.TestCase):
    def test_the_nearest_are_those_of_the_largest_cosine_whatever_the_length(self):
        for length in (1.0, 20.0):
            cosines, labels = neighbours.find_nearest(length * tf.constant([[1.0, 0.0], [0.0, -1.0]]), BANK, LABELS, 3)
            self.assertAllClose(cosines, [[1.0, 0.8, 0.6], [0.0, 0.0, -0.6]])
            self.assertAllEqual(labels, [[0, 0, 2], [0, 1, 0]])  # of equally near ones the first

    def test_the_softmax_of_the_result_is_the_shares_of_the_votes(self):
        result = layer(3)(tf.constant([[5.0, 0.0]]))
        votes = np.exp(np.array([1.0, 0.8, 0.6]) / 0.5)
        expected = np.array([votes[0] + votes[1], 0, votes[2], 0]) / votes.sum()
        self.assertAllClose(tf.nn.softmax(result)[0], expected, atol=1e-5)
        self.assertAllClose(result[0], np.log(expected + 1e-6), atol=1e-4)

    def test_one_neighbour_decides_alone(self):
        shares = tf.nn.softmax(layer(1)(tf.constant([[0.0, 3.0], [-1.0, 0.1]])))
        self.assertAllClose(shares, [[0, 0, 1, 0], [0, 1, 0, 0]], atol=1e-5)

    def test_nearer_ones_weigh_more_the_lower_the_temperature(self):
        images = tf.constant([[1.0, 0.2]])
        shares = [float(tf.nn.softmax(layer(5, temperature)(images))[0, 0]) for temperature in (100.0, 0.5, 0.07)]
        self.assertAllClose(shares[0], 2 / 5, atol=1e-2)  # plain votes
        self.assertLess(shares[0], shares[1])
        self.assertLess(shares[1], shares[2])

    def test_features_of_length_0_have_a_vote(self):
        self.assertAllEqual(tf.math.is_finite(layer(2)(tf.zeros((1, 2)))), np.ones((1, 4), bool))

    def test_saved_and_loaded_it_is_the_same_and_has_nothing_to_train(self):
        images = keras.Input((2,))
        model = keras.Model(images, layer(2)(images))
        path = f"{self.get_temp_dir()}/model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
        features = tf.constant([[0.3, 0.9], [-0.5, 0.1]])
        self.assertAllEqual(loaded(features), model(features))
        self.assertEmpty(loaded.trainable_variables)

    def test_a_number_that_cannot_be(self):
        for k in (0, 6):
            with self.assertRaisesRegex(ValueError, f"k: {k} of 5 examples"):
                layer(k)
