"""Stand-ins for other people's services, so that the example runs anywhere."""


def get(url: str) -> dict:
    return {"url": url, "status": 200}


def push(user_id: str, message: str) -> str:
    return f"pushed to {user_id}: {message}"


def mail(address: str) -> str:
    return f"mailed {address}"


def charge(customer: str, amount: int, currency: str) -> dict:
    return {"customer": customer, "amount": amount, "currency": currency}
