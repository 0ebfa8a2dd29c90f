"""Operations as data, checked arguments, the request that goes out and the answer that comes in."""
