"""The performer "hits": limbs and sticks that strike things, seen from anywhere by a camera as people hold it."""
