"""Generated material: recordings of synthetic performers, instruments, mobiles, camera augmentation."""
