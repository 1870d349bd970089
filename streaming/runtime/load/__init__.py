"""The plan by which a show gives up what is least missed while its cores have no time for everything."""
