"""Training curves from a history."""

from pipeline.report import curves

HEAD = "step,steps,loss,images_per_second,learning_rate,accuracy,gradient_norm,input_wait,eval_loss,eval_accuracy\n"


def test_a_history_with_evaluations():
    found = curves.parse_history(HEAD + "10,20,2.5,1,0.1,0.25,1,0,,\n20,20,1.5,1,0.1,0.5,1,0,1.75,0.375\n")
    assert (found.step, found.loss, found.accuracy) == ((10, 20), (2.5, 1.5), (0.25, 0.5))
    assert (found.eval_loss, found.eval_accuracy) == ((None, 1.75), (None, 0.375))


def test_a_history_without_evaluations():
    found = curves.parse_history(HEAD + "10,10,2.5,1,0.1,0.25,1,0,,\n")
    assert (found.step, found.eval_loss) == ((10,), ())


def test_an_empty_history():
    assert curves.parse_history(HEAD).step == ()


def test_of_a_long_history_the_end_and_the_evaluations_are_there():
    rows = [f"{i},5000,1.0,1,0.1,0.5,1,0,{'2.0' if i == 1234 else ''},\n" for i in range(1, 5001)]
    found = curves.parse_history(HEAD + "".join(rows))
    assert len(found.step) < 500
    assert found.step[-1] == 5000 and 1234 in found.step
