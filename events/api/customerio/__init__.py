"""Customer.io's Track API, versions 1 and 2, so that its libraries work by changing nothing but the host.

Everything becomes the same people and events as by the other APIs. ``identifiers`` say who is meant, ``items`` makes
events of calls, ``acts`` are what is no event, ``performing`` does both; ``v1`` and ``v2`` are the addresses.
Source: https://docs.customer.io/integrations/api/track/
"""
