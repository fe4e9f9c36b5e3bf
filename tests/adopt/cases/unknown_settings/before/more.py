task_annotations = {
    NAME: {"rate_limit": "10/m"},
    "shop.fax": dict(rate_limit="1/m"),
    "shop.a": {"rate_limit": f"{n}/m"},
    "shop.b": {**OTHER},
    "shop.c": {"rate_limit": "5/m"},
    **OTHERS,
}
