"""Passes over data that end when they are through."""

from functools import cache, wraps

import keras


@cache
def end_passes_in_time() -> None:
    """Keep TensorFlow from sleeping at the end of a pass over data.

    For each pass, be it an epoch or a prediction, it starts a thread that tunes
    buffers, at intervals that double from 10 ms on. When all is done the thread is told
    to stop; where it looks before the sign is up, as it does on idle cores, it sleeps
    on to the end of its interval, and the pass with it: one of 6 s takes 10. From this
    call on no pass of the process has such a thread. Batches, their order and the
    results stay the same. Other backends have no such threads.

    `srtools.tutorial.trained` and all that trains or loads a network in the package
    call it.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    # Keras makes its pipelines itself, and TensorFlow has no variable for this.
    begin = tf.data.Options.__init__

    @wraps(begin)
    def begin_untuned(self):
        begin(self)
        self.autotune.enabled = False

    tf.data.Options.__init__ = begin_untuned
