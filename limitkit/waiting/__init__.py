"""The waiting room: where requests that are not due soon wait, in their own broker, outside of a worker's memory.

``room`` says what each kind must do. ``choose_room`` opens the one that fits the broker: ``redis_room``,
``rabbitmq_room`` or ``eta_room``. ``delivery``, ``origin_queue``, ``send_back`` and ``publish`` return a message to its
queue as it came. ``deliveries`` returns what a killed worker had. May use ``control`` and what is below.
"""
