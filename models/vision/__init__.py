"""What a frame shows: points, embedding, pitch positions; own and pre-trained networks."""
