"""Networks: functions that return an uncompiled `keras.Model`."""
