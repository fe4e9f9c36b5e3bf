"""The waiting room: where requests wait that are not due soon, outside of a worker's memory, in their own broker.

``room`` says what each must do, ``choose_room`` opens the one that fits the broker: ``redis_room``, ``rabbitmq_room``
or ``eta_room``. How a message goes back as it came is here too: ``delivery``, ``origin_queue``, ``send_back``,
``publish``. May use ``control`` and what is below.
"""
