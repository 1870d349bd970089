"""The eyes: published networks that find people's bodies and hands, in the user's cache, opened behind the contract."""
