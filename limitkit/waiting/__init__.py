"""The waiting room: where requests wait that are not due soon, outside of worker memory."""
