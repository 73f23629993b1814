import tensorflow as tf

from trainer.average import Average


class AverageTest(tf.test.TestCase):
    def test_the_decay_warms_up_to_what_is_asked(self):
        variable = tf.Variable([1.0, -4.0])
        average = Average([variable], decay=0.2)
        expected = [1.0, -4.0]
        for step, value in enumerate(([3.0, 0.0], [5.0, 5.0], [-1.0, 2.0], [0.0, 8.0])):
            variable.assign(value)
            average.update(tf.constant(step, tf.int64))
            # 1/10, 2/11 and then, instead of 3/12 and 4/13, what is asked.
            decay = min(0.2, (1 + step) / (10 + step))
            expected = [decay * old + (1 - decay) * new for old, new in zip(expected, value, strict=True)]
            self.assertAllClose(average.variables[0], expected, rtol=1e-6)
        self.assertAllEqual(variable, [0.0, 8.0])

    def test_each_variable_has_its_own(self):
        variables = [tf.Variable(1.0), tf.Variable([[2.0], [3.0]])]
        average = Average(variables, decay=0.9)
        self.assertAllEqual([v.shape.rank for v in average.variables], [0, 2])
        variables[1].assign([[12.0], [3.0]])
        average.update(tf.constant(0))
        self.assertAllClose(average.variables[0], 1.0)
        self.assertAllClose(average.variables[1], [[11.0], [3.0]])
