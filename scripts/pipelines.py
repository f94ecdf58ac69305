"""Pipelines of TensorFlow that end when they are through.

With each pass over data TensorFlow starts a thread that tunes buffers, at intervals
that double from 10 ms on. When the pass is over the thread is told to stop; where it
looks before the sign is up, it sleeps on to the end of its interval, and the pass with
it: a prediction of 6 s takes 10. Batches and their order are the same without.
"""

import tensorflow as tf

_begin = tf.data.Options.__init__


def _begin_untuned(self):
    _begin(self)
    self.autotune.enabled = False


tf.data.Options.__init__ = _begin_untuned
